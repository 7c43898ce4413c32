/** Methods about deliveries that wait for a person. */
import { boolean, enums, integer, max, min, object, optional } from 'superstruct'
import { limits } from '../limits.ts'
import { CLIENT, id } from './params.ts'

const owners = { scope: 'operator.admin', roles: CLIENT } as const

export const deliveryMethods = {
  'deliveries.list': {
    params: object({
      state: optional(enums(['uncertain', 'dead', 'moving'])),
      limit: optional(max(min(integer(), 1), limits.deliveryListMax)),
    }),
    ...owners,
    writes: false,
  },
  'deliveries.resubmit': { params: object({ deliveryId: id() }), ...owners, writes: true },
  'deliveries.resolve': {
    params: object({ deliveryId: id(), sent: boolean() }),
    ...owners,
    writes: true,
  },
  'deliveries.dismiss': { params: object({ deliveryId: id() }), ...owners, writes: true },
} as const
