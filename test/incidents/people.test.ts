import { replayAll } from './replay';
import { PEOPLE } from './people';

replayAll(PEOPLE);
