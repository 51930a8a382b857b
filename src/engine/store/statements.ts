import type { Database, Statement } from 'better-sqlite3'

/** Prepared statements of one connection, each made once. */
export class Statements {
  readonly #database: Database
  readonly #prepared = new Map<string, Statement<unknown[], unknown>>()

  constructor(database: Database) {
    this.#database = database
  }

  /** Whole rows. Values are what the column types say; the caller names the row type. */
  rows<Row>(text: string): Statement<unknown[], Row> {
    return this.#prepare(text, (statement) => statement) as Statement<unknown[], Row>
  }

  /** The first column alone. */
  values<Value>(text: string): Statement<unknown[], Value> {
    return this.#prepare(text, (statement) => (statement.reader ? statement.pluck() : statement)) as Statement<
      unknown[],
      Value
    >
  }

  /** The first column alone, integers as bigint: 64 bits do not fit a number. */
  integers(text: string): Statement<unknown[], bigint> {
    return this.#prepare(`${text} /* bigint */`, (statement) => statement.pluck().safeIntegers()) as Statement<
      unknown[],
      bigint
    >
  }

  /** For writes. */
  change(text: string): Statement<unknown[], unknown> {
    return this.#prepare(text, (statement) => statement)
  }

  #prepare(
    text: string,
    configure: (statement: Statement<unknown[], unknown>) => Statement<unknown[], unknown>,
  ): Statement<unknown[], unknown> {
    const known = this.#prepared.get(text)
    if (known !== undefined) return known
    const statement = configure(this.#database.prepare<unknown[], unknown>(text))
    this.#prepared.set(text, statement)
    return statement
  }
}
