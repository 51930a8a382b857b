import { Component, type ReactNode } from 'react'
import { Button } from './Button.tsx'
import { EmptyState } from './EmptyState.tsx'

interface ErrorBoundaryProps {
  /** Subject of the sentence, e.g. `The map`. */
  readonly what: string
  readonly children: ReactNode
}

/** Keeps a mistake in one view from taking the whole window away. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, { readonly message: string | null }> {
  override state: { readonly message: string | null } = { message: null }

  static getDerivedStateFromError(error: unknown): { readonly message: string } {
    return { message: error instanceof Error ? error.message : String(error) }
  }

  override render(): ReactNode {
    if (this.state.message === null) return this.props.children
    return (
      <EmptyState
        title={`${this.props.what} could not be shown`}
        actions={<Button onClick={() => this.setState({ message: null })}>Show it again</Button>}
      >
        A mistake in the page, not on a node: {this.state.message}. The engine goes on working.
      </EmptyState>
    )
  }
}
