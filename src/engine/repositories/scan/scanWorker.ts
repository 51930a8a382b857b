import { searchWithSecretlint } from './secretlint.ts'
import { serveSearch } from './serveSearch.ts'

await serveSearch(searchWithSecretlint)
