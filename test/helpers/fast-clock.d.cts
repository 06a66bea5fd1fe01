/** Waits of a second and more take a hundredth of their time from now on, those that have begun too. */
export function hasten(): void;
/** From now on waits take their time again. */
export function relax(): void;
