'use strict';
// Loaded with --require: at the end of the process, writes the packages that it loaded into LOADED_FILE, one a line.
const { writeFileSync } = require('node:fs');

process.on('exit', () => {
  const packages = Object.keys(require.cache).map((file) => /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file)?.[1]);
  writeFileSync(process.env.LOADED_FILE, [...new Set(packages)].join('\n'));
});
