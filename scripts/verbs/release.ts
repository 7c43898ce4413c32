/**
 * `openclaw gateway release`: lets channels start that are held after a crash loop.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { reachArgs } from '../arguments.ts'
import { askGateway } from '../ask.ts'
import { show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: they start; 10: none are held. */
export const release = defineVerb({
  name: 'gateway release',
  description: 'Let channels start that are held after a crash loop',
  args: reachArgs,
  async run(args) {
    const { released, position } = await askGateway(args, 'gateway.release', {})
    if (released !== true) throw new GatewayError('NOT_FOUND', 'no channels are held')
    if (args.json) showJson({ ok: true, released, position })
    else show(`channels are released: they start now (#${String(position)})`)
    return 0
  },
})
