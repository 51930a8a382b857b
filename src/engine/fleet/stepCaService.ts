import type { CertificateIssuer } from '../../shared/model/certificate.ts'
import type { StepCaSettings, StepCaStatus } from '../../shared/model/stepCa.ts'

/** A step-ca as the one that signs user certificates. */
export interface StepCaService {
  status(): Promise<StepCaStatus>
  configure(settings: StepCaSettings, password: string, operator: string): Promise<StepCaStatus>
  use(issuer: CertificateIssuer, operator: string): Promise<StepCaStatus>
  remove(operator: string): Promise<StepCaStatus>
}
