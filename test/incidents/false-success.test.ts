import { replayAll } from './replay';
import { FALSE_SUCCESS } from './false-success';

replayAll(FALSE_SUCCESS);
