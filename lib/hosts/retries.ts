import { TRANSACTION_TIMEOUT_MS } from '../engines/engine';

/** How a transaction that the server undid is run again: deadlocks are rare and short, and more tries would hide a real one. */
export const RETRIES = { retries: 3, minTimeout: 50, randomize: true, maxRetryTime: TRANSACTION_TIMEOUT_MS } as const;
