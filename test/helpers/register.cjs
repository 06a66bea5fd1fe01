require('../../lib/register.cjs');
