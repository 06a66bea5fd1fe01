'use strict';
// Waits of a second and more take a twentieth of their time, so that a test can sit through the real time-outs: what
// comes before what stays as it is. Imported by a test, or loaded with --require into a script.
const real = globalThis.setTimeout;

function setTimeout(work, milliseconds, ...rest) {
  return real(work, milliseconds >= 1000 ? milliseconds / 20 : milliseconds, ...rest);
}

globalThis.setTimeout = Object.defineProperties(setTimeout, Object.getOwnPropertyDescriptors(real));
