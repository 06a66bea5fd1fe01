import { replayAll } from './replay';
import { INTEGRITY } from './integrity';

replayAll(INTEGRITY);
