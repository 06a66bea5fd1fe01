'use strict';
// Waits of a second and more take a twentieth of their time (or what FAST_CLOCK_RATE says), so that a test can sit through the real time-outs: what
// comes before what stays as it is. Imported by a test, or loaded with --require into a script.
const real = globalThis.setTimeout;
const rate = Number(process.env.FAST_CLOCK_RATE ?? 20);

function setTimeout(work, milliseconds, ...rest) {
  return real(work, milliseconds >= 1000 ? milliseconds / rate : milliseconds, ...rest);
}

globalThis.setTimeout = Object.defineProperties(setTimeout, Object.getOwnPropertyDescriptors(real));
