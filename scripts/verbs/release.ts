/**
 * `openclaw gateway release`: lets channels start that are held after a crash loop, and tries those
 * that have failed.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { reachArgs } from '../arguments.ts'
import { askGateway } from '../ask.ts'
import { show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: some start; 10: none are held, and none has failed. */
export const release = defineVerb({
  name: 'gateway release',
  description: 'Let channels start that are held after a crash loop, or have failed',
  args: reachArgs,
  async run(args) {
    const { released, position, retried } = await askGateway(args, 'gateway.release', {})
    const names = Array.isArray(retried) ? retried.map(String) : []
    if (released !== true && names.length === 0) {
      throw new GatewayError('NOT_FOUND', 'no channels are held, and none has failed')
    }
    const which = released === true ? 'channels are released' : `tried again: ${names.join(', ')}`
    if (args.json) showJson({ ok: true, released, position, retried: names })
    else show(`${which}: they start now (#${String(position)})`)
    return 0
  },
})
