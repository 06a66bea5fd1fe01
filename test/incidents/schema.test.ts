import { replayAll } from './replay';
import { SCHEMA } from './schema';

replayAll(SCHEMA);
