import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { json } from '@codemirror/lang-json'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState, type Text } from '@codemirror/state'
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { useEffect, useRef } from 'react'
import type { RegistryProblem } from '../../../../shared/contract/registry.ts'
import { cspNonce } from '../../../cspNonce.ts'
import type { TextFormat } from '../draft/draft.ts'

/** Goes to a place in the text; another object goes there again. */
export interface TextTarget {
  readonly line: number
  readonly column: number
}

interface TextEditorProps {
  readonly label: string
  readonly text: string
  readonly format: TextFormat
  readonly problems: readonly RegistryProblem[]
  readonly target: TextTarget | null
  readonly readOnly: boolean
  readonly onChange: (text: string) => void
}

const theme = EditorView.theme({
  '&': { height: '100%', fontSize: '13px', backgroundColor: 'var(--ground)', color: 'var(--text)' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--font-code)', lineHeight: '20px' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--ground)', color: 'var(--faint)', borderRight: '1px solid var(--line)' },
  '.cm-activeLine': { backgroundColor: 'var(--hover)' },
  '.cm-activeLineGutter': { backgroundColor: 'var(--hover)', color: 'var(--text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--selection)',
  },
  '.cm-matchingBracket': { backgroundColor: 'var(--selection)', color: 'inherit' },
  '.cm-selectionMatch': { backgroundColor: 'var(--selection)' },
  '.cm-searchMatch': { backgroundColor: 'var(--selection)', outline: '1px solid var(--line-strong)' },
  '.cm-searchMatch-selected': { outline: '2px solid var(--accent)' },
  '.cm-panels': { backgroundColor: 'var(--surface)', color: 'var(--text)', borderColor: 'var(--line)' },
  '.cm-panel input, .cm-panel button': {
    backgroundColor: 'var(--ground)',
    backgroundImage: 'none',
    border: '1px solid var(--line-strong)',
    borderRadius: 'var(--radius)',
    color: 'var(--text)',
    fontFamily: 'var(--font-interface)',
  },
  '.cm-panel label': { fontFamily: 'var(--font-interface)' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--text)', border: '1px solid var(--line-strong)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--error)' },
  '.cm-lintRange-error': {
    backgroundImage: 'none',
    textDecoration: 'underline wavy var(--error)',
    textUnderlineOffset: '3px',
  },
  '.cm-foldPlaceholder': { backgroundColor: 'var(--raised)', borderColor: 'var(--line)', color: 'var(--muted)' },
})

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--halted)' },
  { tag: tags.comment, color: 'var(--faint)' },
  { tag: [tags.punctuation, tags.separator, tags.bracket], color: 'var(--muted)' },
  { tag: tags.invalid, color: 'var(--error)' },
])

const nonce = cspNonce === undefined ? [] : [EditorView.cspNonce.of(cspNonce)]

const languageOf = (format: TextFormat) => (format === 'json' ? json() : yaml())

/** A place that a check has named; the text may be shorter by now. */
function offsetOf(text: Text, { line, column }: TextTarget): number {
  const found = text.line(Math.max(1, Math.min(text.lines, line)))
  return Math.min(found.to, found.from + Math.max(0, column - 1))
}

function diagnosticOf(text: Text, problem: RegistryProblem): Diagnostic {
  const from = offsetOf(text, problem)
  const rest = text.lineAt(from).text.slice(from - text.lineAt(from).from)
  const word = /^(?:"(?:[^"\\]|\\.)*"|[^\s,:\]}]+)/.exec(rest)?.[0] ?? ' '
  return { from, to: Math.min(text.length, from + word.length), severity: 'error', message: problem.message }
}

/** A registry as text: line numbers, marks where a check found mistakes, search, and only the lines in sight drawn. */
export function TextEditor(props: TextEditorProps) {
  const { label, text, format, problems, target, readOnly } = props
  const place = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | null>(null)
  const latest = useRef(props)
  latest.current = props
  const parts = useRef({ language: new Compartment(), access: new Compartment() })

  useEffect(() => {
    const { language, access } = parts.current
    const first = latest.current
    const editor = new EditorView({
      parent: place.current as HTMLDivElement,
      state: EditorState.create({
        doc: first.text,
        extensions: [
          ...nonce,
          lineNumbers(),
          foldGutter(),
          lintGutter(),
          history(),
          drawSelection(),
          bracketMatching(),
          highlightActiveLine(),
          highlightActiveLineGutter(),
          highlightSelectionMatches(),
          search({ top: true }),
          keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, ...foldKeymap, ...lintKeymap]),
          language.of(languageOf(first.format)),
          access.of(EditorState.readOnly.of(first.readOnly)),
          syntaxHighlighting(colours),
          theme,
          EditorState.tabSize.of(2),
          EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', autocapitalize: 'off' }),
          EditorView.updateListener.of((update) => {
            const next = update.docChanged ? update.state.doc.toString() : null
            if (next !== null && next !== latest.current.text) latest.current.onChange(next)
          }),
        ],
      }),
    })
    view.current = editor
    return () => {
      view.current = null
      editor.destroy()
    }
  }, [label])

  useEffect(() => {
    view.current?.dispatch({ effects: parts.current.language.reconfigure(languageOf(format)) })
  }, [format])
  useEffect(() => {
    view.current?.dispatch({ effects: parts.current.access.reconfigure(EditorState.readOnly.of(readOnly)) })
  }, [readOnly])
  useEffect(() => {
    const editor = view.current
    if (editor === null || editor.state.doc.toString() === text) return
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: text } })
  }, [text])
  useEffect(() => {
    const editor = view.current
    if (editor === null) return
    const found = problems.map((problem) => diagnosticOf(editor.state.doc, problem))
    editor.dispatch(
      setDiagnostics(
        editor.state,
        [...found].sort((left, right) => left.from - right.from),
      ),
    )
  }, [problems])
  useEffect(() => {
    const editor = view.current
    if (editor === null || target === null) return
    const anchor = offsetOf(editor.state.doc, target)
    editor.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: 'center' }) })
    editor.focus()
  }, [target])

  return <div ref={place} className="h-full min-h-0 overflow-hidden" />
}
