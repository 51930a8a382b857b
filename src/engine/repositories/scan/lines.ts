/** Numbers of lines in one text, from 1, for ascending places. */
export class LineCounter {
  readonly #text: string
  #place = 0
  #line = 1

  constructor(text: string) {
    this.#text = text
  }

  at(place: number): number {
    for (;;) {
      const lineBreak = this.#text.indexOf('\n', this.#place)
      if (lineBreak === -1 || lineBreak >= place) return this.#line
      this.#line += 1
      this.#place = lineBreak + 1
    }
  }
}
