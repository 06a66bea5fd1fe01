import { pgliteLane } from '../helpers/lanes';
import { exerciseFaults } from './faults';

exerciseFaults(pgliteLane);
