'use strict';
// Lets a test sit through the real time-outs. From `hasten` on, waits of a second and more, those that have begun too,
// take a hundredth of their time, until `relax`; what comes before what stays as it is. Loaded with --require into a
// script, they take the part that FAST_CLOCK_RATE says from the beginning.
const real = globalThis.setTimeout;
const waiting = new Set();
let rate = Number(process.env.FAST_CLOCK_RATE ?? 1);

function setTimeout(work, milliseconds, ...rest) {
  if (!(milliseconds >= 1000)) return real(work, milliseconds, ...rest);
  const timer = real(work, milliseconds / rate, ...rest);
  waiting.add(timer);
  return timer;
}

globalThis.setTimeout = Object.defineProperties(setTimeout, Object.getOwnPropertyDescriptors(real));

/** Node has no way to shorten a wait but its own field. */
function hasten() {
  rate = 100;
  for (const timer of waiting) {
    if (timer._destroyed) continue;
    timer._idleTimeout = Math.max(1, timer._idleTimeout / rate);
    timer.refresh();
  }
  waiting.clear();
}

function relax() {
  rate = 1;
}

module.exports = { hasten, relax };
