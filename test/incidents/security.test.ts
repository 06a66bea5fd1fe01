import { replayAll } from './replay';
import { SECURITY } from './security';

replayAll(SECURITY);
