import { pgliteLane } from '../helpers/lanes';
import { exercise } from './conformance';

exercise(pgliteLane);
