import { z } from 'zod'
import { Digest } from '../model/ids.ts'
import { FleetNode } from '../model/node.ts'
import { StoragePreview, StorageSettings } from '../model/storage.ts'
import { procedure } from './base.ts'
import { NodeReference } from './nodes.ts'

export const storageContract = {
  /** Reads the node and says what would change; changes nothing. */
  preview: procedure.input(z.object({ node: NodeReference, settings: StorageSettings })).output(StoragePreview),
  /**
   * Applies what `preview` showed, proves it with a fresh login while an open session stays as the way back, and takes
   * it back by itself when the login fails.
   * @throws CONFLICT when the node has changed since the preview, SSHD_CONFIG_REFUSED, LOGIN_NOT_PROVEN
   */
  apply: procedure
    .input(z.object({ node: NodeReference, settings: StorageSettings, previewDigest: Digest }))
    .output(FleetNode),
  /** Puts back what was there before. */
  undo: procedure.input(z.object({ node: NodeReference })).output(FleetNode),
}
