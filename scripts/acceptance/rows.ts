/** All rows, in the order in which they run. */
import type { Row } from './row.ts'
import { cliRows } from './rows/cli.ts'
import { clientRows } from './rows/clients.ts'
import { controlUiRows } from './rows/control-ui.ts'
import { deviceRows } from './rows/devices.ts'
import { nodeRows } from './rows/nodes.ts'
import { oldCliRows } from './rows/old-cli.ts'
import { tuiRows } from './rows/tui.ts'

export const rows: readonly Row[] = [
  ...cliRows,
  ...deviceRows,
  ...nodeRows,
  ...clientRows,
  ...tuiRows,
  ...controlUiRows,
  ...oldCliRows,
]
