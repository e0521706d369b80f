/** Of one device and one kind. More say nothing new, and whoever has its key can cause as many as he likes. */
const OPEN_AT_ONCE = 5;

/**
 * Whether one more alarm is raised. None is ever dropped for a later one: an alarm stays in the list until an operator
 * acknowledges it.
 *
 * @param open how many alarms of the kind about the device are not acknowledged
 */
export const raisesAlarm = (open: number): boolean => open < OPEN_AT_ONCE;
