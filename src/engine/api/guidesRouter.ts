import type { GuideService } from '../fleet/guideService.ts'
import { os } from './procedures.ts'

export function guidesRouter({ guides }: { readonly guides: GuideService }) {
  return {
    examine: os.guides.examine.handler(({ input, context }) =>
      guides.examine(input.guide, input.node, context.caller.operator),
    ),
    fix: os.guides.fix.handler(async ({ input, context }) => ({
      done: await guides.fix(input.fix, context.caller.operator),
    })),
  }
}
