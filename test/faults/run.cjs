'use strict';
// `--require` on the command line would be handed on to every process an experiment starts.
require('../helpers/register.cjs');
require('./run');
