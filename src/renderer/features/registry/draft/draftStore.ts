import { createStore, type StoreApi, useStore } from 'zustand'
import type { SourceNode } from '../../../../core/registry/sourceTree.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { type Draft, type TextFormat, withRoot, withText } from './draft.ts'

interface DraftState {
  readonly draft: Draft | null
  readonly past: readonly Draft[]
  readonly future: readonly Draft[]
}

const keptSteps = 200

/** What somebody is editing outlives the view: looking something up elsewhere loses nothing. Kept in memory alone. */
class DraftStore {
  readonly store: StoreApi<DraftState> = createStore(() => ({ draft: null, past: [], future: [] }))

  get draft(): Draft | null {
    return this.store.getState().draft
  }

  /** Begins anew from a revision; what was edited before is gone. */
  begin(draft: Draft): void {
    this.store.setState({ draft, past: [], future: [] })
  }

  /** Another content in the place of this one, which can be taken back. */
  #step(next: Draft): void {
    this.store.setState(({ draft, past }) =>
      draft === null || next === draft ? {} : { draft: next, past: [...past, draft].slice(-keptSteps), future: [] },
    )
  }

  change(change: (root: SourceNode) => SourceNode): void {
    if (this.draft !== null) this.#step(withRoot(this.draft, change))
  }

  /** The text editor keeps its own steps back; ours would be one for every letter. */
  type(format: TextFormat, text: string): void {
    this.store.setState(({ draft }) => (draft === null ? {} : { draft: withText(draft, format, text) }))
  }

  /** Another text in the place of the whole draft; a step that can be taken back. */
  replace(format: TextFormat, text: string): void {
    if (this.draft !== null) this.#step(withText(this.draft, format, text))
  }

  /** The same content on the ground of a newer revision. */
  rebase(next: Draft): void {
    this.store.setState({ draft: next, past: [], future: [] })
  }

  undo(): void {
    this.store.setState(({ draft, past, future }) => {
      const before = past.at(-1)
      return draft === null || before === undefined
        ? {}
        : { draft: before, past: past.slice(0, -1), future: [draft, ...future] }
    })
  }

  redo(): void {
    this.store.setState(({ draft, past, future }) => {
      const [next, ...rest] = future
      return draft === null || next === undefined ? {} : { draft: next, past: [...past, draft], future: rest }
    })
  }
}

const stores: Readonly<Record<RegistryKind, DraftStore>> = { services: new DraftStore(), nodes: new DraftStore() }

export const draftStore = (registry: RegistryKind): DraftStore => stores[registry]

export const useDraft = (registry: RegistryKind): Draft | null => useStore(stores[registry].store, ({ draft }) => draft)

/** Whether there is a step to take back, or to do again. */
export const useSteps = (registry: RegistryKind): { readonly canUndo: boolean; readonly canRedo: boolean } => ({
  canUndo: useStore(stores[registry].store, ({ past }) => past.length > 0),
  canRedo: useStore(stores[registry].store, ({ future }) => future.length > 0),
})
