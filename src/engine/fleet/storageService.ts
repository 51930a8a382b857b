import type { FleetNode } from '../../shared/model/node.ts'
import type { StoragePreview, StorageSettings } from '../../shared/model/storage.ts'

/** Makes a node a storage that lets in nobody but holders of our certificates (S0.21-25, D4, D38). */
export interface StorageService {
  preview(reference: string, settings: StorageSettings): Promise<StoragePreview>
  apply(
    reference: string,
    settings: StorageSettings,
    options: { readonly previewDigest: string; readonly operator: string },
  ): Promise<FleetNode>
  undo(reference: string, operator: string): Promise<FleetNode>
}
