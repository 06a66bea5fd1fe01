import { replayAll } from './replay';
import { WRONG_DATABASE } from './wrong-database';

replayAll(WRONG_DATABASE);
