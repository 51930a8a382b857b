import { EventEmitter } from 'node:events'

/** Silent unless the test says that the machine woke up. */
export const powerMonitor = new EventEmitter()
