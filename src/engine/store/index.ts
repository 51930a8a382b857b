export { FileLogStore, type LogStoreOptions, openLogStore, type StoredLog } from './fileLogStore.ts'
export { type OpenStoreOptions, openStore, SqliteStore } from './sqliteStore.ts'
