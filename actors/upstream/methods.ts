/** Upstream's methods and who handles them; one without a handler does not compile. Step 4 of 8. */
import type { upstreamMethods } from '../../protocol/dialect/upstream/methods.ts'
import type { Handlers } from './house.ts'
import { approvalHandlers } from './methods/approvals.ts'
import { channelHandlers } from './methods/channels.ts'
import { chatHandlers } from './methods/chat.ts'
import { configHandlers } from './methods/config.ts'
import { cronHandlers } from './methods/cron.ts'
import { deviceHandlers } from './methods/devices.ts'
import { houseHandlers } from './methods/house.ts'
import { nodeHandlers } from './methods/nodes.ts'
import { sessionHandlers } from './methods/sessions.ts'
import { toolHandlers } from './methods/tools.ts'
import { usageHandlers } from './methods/usage.ts'

export const handlers: Handlers<typeof upstreamMethods> = {
  ...houseHandlers,
  ...chatHandlers,
  ...sessionHandlers,
  ...configHandlers,
  ...deviceHandlers,
  ...nodeHandlers,
  ...approvalHandlers,
  ...cronHandlers,
  ...usageHandlers,
  ...channelHandlers,
  ...toolHandlers,
}
