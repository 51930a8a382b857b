import { z } from 'zod'
import { Diagnosis } from './diagnosis.ts'
import { EpochMs } from './ids.ts'

/** Where a step-ca is and how we are known there. The password is sealed and never comes back. */
export const StepCaSettings = z.object({
  /** e.g. `https://ca.internal:9000` (S0.7, S0.36). */
  url: z.url({ protocol: /^https$/, error: 'the address of step-ca starts with https://' }),
  /** SHA-256 of the root certificate, as `step ca fingerprint` prints it (S0.29). */
  rootFingerprint: z.string().regex(/^[0-9a-f]{64}$/, 'a root fingerprint is 64 hexadecimal digits'),
  provisioner: z.string().min(1).max(255),
})
export type StepCaSettings = z.infer<typeof StepCaSettings>

export const StepCaProvisioner = z.object({
  name: z.string(),
  type: z.string(),
  /** What may be asked of it, in words (U6). */
  allows: z.array(z.string()),
})
export type StepCaProvisioner = z.infer<typeof StepCaProvisioner>

export const StepCaStatus = z.object({
  settings: StepCaSettings.nullable(),
  /** It signs the user certificates; otherwise the embedded authority does. */
  active: z.boolean(),
  checkedAt: EpochMs.nullable(),
  healthy: z.boolean(),
  /** Why not; null when healthy or not set up. */
  diagnosis: Diagnosis.nullable(),
  provisioners: z.array(StepCaProvisioner),
  /** Public key lines of its SSH user authorities. */
  userAuthorities: z.array(z.object({ fingerprint: z.string(), publicKey: z.string() })),
})
export type StepCaStatus = z.infer<typeof StepCaStatus>
