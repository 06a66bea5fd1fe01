// For `npx knex`: the target comes from CANVAS_TARGET (else the default of targets.json), and what connects passes the
// guard like every other command. `npm run migrate` does more; see lib/knex-command.ts.
// First: what it compiles is kept, and ts-node would compile everything at each start.
import './lib/register.cjs';
import { errorText } from './lib/cli/render';
import { PACKAGE_ROOT } from './lib/config/settings';
import { ToolkitError } from './lib/errors';
import { knexCommandConfig } from './lib/knex-command';

module.exports = async () => {
  // `migrate:make` writes into ./migrations, wherever it was called.
  process.chdir(PACKAGE_ROOT);
  try {
    return await knexCommandConfig(process.env, process.argv.slice(2));
  } catch (error) {
    // Knex would print a stack trace and always exit with 1.
    if (!(error instanceof ToolkitError)) throw error;
    process.stderr.write(errorText(error));
    process.exit(error.exit);
  }
};
