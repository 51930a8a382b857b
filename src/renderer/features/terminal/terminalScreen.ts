import { FitAddon } from '@xterm/addon-fit'
import { SearchAddon } from '@xterm/addon-search'
import { SerializeAddon } from '@xterm/addon-serialize'
import { Unicode11Addon } from '@xterm/addon-unicode11'
import { WebLinksAddon } from '@xterm/addon-web-links'
import { WebglAddon } from '@xterm/addon-webgl'
import { Terminal } from '@xterm/xterm'
import type { TerminalSize } from '../../../shared/model/terminal.ts'
import { onThemeChange, terminalTheme } from './terminalTheme.ts'

/** Scrollback costs about 12 bytes a cell: 5,000 lines of 120 columns are some 7 MB. */
const scrollbackLines = 5_000

const bundledFont = '"JetBrains Mono Variable"'
const fallbackFont = 'ui-monospace, monospace'

export interface ScreenHandlers {
  readonly onInput: (text: string) => void
  readonly onResize: (size: TerminalSize) => void
  readonly openLink: (url: string) => void
  /** Keys the console keeps for itself also inside a terminal. */
  readonly onSearchKey: () => void
  readonly onDockKey: () => void
  readonly copyText: (text: string) => void
}

/**
 * One xterm, independent of React: it lives on while its pane is hidden, without being in the document then. WebGL is
 * used while it is visible and available; the DOM renderer otherwise.
 */
export class TerminalScreen {
  readonly #terminal: Terminal
  readonly #fit = new FitAddon()
  readonly #search = new SearchAddon()
  readonly #serialize = new SerializeAddon()
  readonly #host = document.createElement('div')
  readonly #resizes: ResizeObserver
  readonly #stopTheme: () => void
  #webgl: WebglAddon | null = null
  #opened = false

  constructor(handlers: ScreenHandlers) {
    this.#host.className = 'h-full w-full'
    this.#terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: false,
      fontFamily: fallbackFont,
      fontSize: 13,
      minimumContrastRatio: 4.5,
      scrollback: scrollbackLines,
      screenReaderMode: false,
      theme: terminalTheme(),
    })
    const links = new WebLinksAddon((_event, url) => handlers.openLink(url))
    for (const addon of [this.#fit, this.#search, this.#serialize, new Unicode11Addon(), links])
      this.#terminal.loadAddon(addon)
    this.#terminal.unicode.activeVersion = '11'
    this.#terminal.onData(handlers.onInput)
    this.#terminal.onResize(({ cols, rows }) => handlers.onResize({ columns: cols, rows }))
    this.#terminal.attachCustomKeyEventHandler((event) => this.#handleKey(event, handlers))
    void this.#takeFont()
    this.#resizes = new ResizeObserver(() => this.fit())
    this.#stopTheme = onThemeChange(() => {
      this.#terminal.options.theme = terminalTheme()
    })
  }

  get size(): TerminalSize {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows }
  }

  /** Shows it in `parent`. */
  mount(parent: HTMLElement): void {
    parent.append(this.#host)
    if (!this.#opened) this.#terminal.open(this.#host)
    this.#opened = true
    this.#takeWebgl()
    this.#resizes.observe(this.#host)
    this.fit()
  }

  /** Takes it out of the document; content and scrollback stay. */
  unmount(): void {
    this.#resizes.disconnect()
    this.#dropWebgl()
    this.#host.remove()
  }

  fit(): void {
    if (this.#host.clientWidth > 0 && this.#host.clientHeight > 0) this.#fit.fit()
  }

  focus(): void {
    this.#terminal.focus()
  }

  /** @param consumed called when xterm has taken the bytes in: the time to acknowledge them */
  write(bytes: Uint8Array | string, consumed?: () => void): void {
    this.#terminal.write(bytes, consumed)
  }

  /** A line of ours between the lines of the program. */
  note(text: string): void {
    const atStart = this.#terminal.buffer.active.cursorX === 0
    this.#terminal.write(`${atStart ? '' : '\r\n'}\u001b[0;2m${text}\u001b[0m\r\n`)
  }

  /** Clean screen and modes, for a replay that begins anew. */
  reset(): void {
    this.#terminal.reset()
  }

  /** Leaves full-screen mode and styles of a program that has ended; scrollback stays. */
  leaveProgram(): void {
    this.#terminal.write(
      '\u001b[?1049l\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l\u001b[?2004l\u001b[?25h\u001b[0m',
    )
  }

  findNext(query: string, options: { readonly incremental?: boolean } = {}): boolean {
    return this.#search.findNext(query, { incremental: options.incremental ?? false })
  }

  findPrevious(query: string): boolean {
    return this.#search.findPrevious(query)
  }

  clearSearch(): void {
    this.#search.clearDecorations()
    this.#terminal.clearSelection()
  }

  selection(): string {
    return this.#terminal.getSelection()
  }

  /** Everything that is kept, as plain text without trailing blank lines. */
  text(): string {
    const buffer = this.#terminal.buffer.normal
    const lines = Array.from({ length: buffer.length }, (_, at) => buffer.getLine(at)?.translateToString(true) ?? '')
    return `${lines.join('\n').trimEnd()}\n`
  }

  /** The same with colours, as a terminal would replay it. */
  serialized(): string {
    return this.#serialize.serialize()
  }

  dispose(): void {
    this.unmount()
    this.#stopTheme()
    this.#terminal.dispose()
  }

  #handleKey(event: KeyboardEvent, handlers: ScreenHandlers): boolean {
    if (event.ctrlKey && event.code === 'Backquote') {
      if (event.type === 'keydown') handlers.onDockKey()
      event.preventDefault()
      return false
    }
    const shifted = event.ctrlKey && event.shiftKey
    if (shifted && event.code === 'KeyF') {
      if (event.type === 'keydown') handlers.onSearchKey()
      event.preventDefault()
      return false
    }
    if (shifted && event.code === 'KeyC') {
      if (event.type === 'keydown' && this.selection() !== '') handlers.copyText(this.selection())
      event.preventDefault()
      return false
    }
    // Left to the browser, which pastes it as plain text.
    return !(shifted && event.code === 'KeyV')
  }

  /** Cells are measured when the font is set, so it is set when it is there. */
  async #takeFont(): Promise<void> {
    await document.fonts.load(`13px ${bundledFont}`).catch(() => [])
    this.#terminal.options.fontFamily = `${bundledFont}, ${fallbackFont}`
    if (this.#host.isConnected) this.fit()
  }

  #takeWebgl(): void {
    try {
      const webgl = new WebglAddon()
      webgl.onContextLoss(() => this.#dropWebgl())
      this.#terminal.loadAddon(webgl)
      this.#webgl = webgl
    } catch {
      this.#webgl = null
    }
  }

  #dropWebgl(): void {
    this.#webgl?.dispose()
    this.#webgl = null
  }
}
