export { printable, printableLine } from '../../core/printable.ts'
