/**
 * `openclaw channels login | logout`: links this gateway to an account whose owner's phone scans a
 * code, and unlinks and forgets it.
 */
import { loadBaileys } from '../../actors/channels/whatsapp-seam.ts'
import { loginWhatsApp, logoutWhatsApp } from '../../actors/channels/whatsapp-login.ts'
import { openStateDir } from '../../actors/state-dir.ts'
import { openSecretFiles, secretsDirectory } from '../../actors/secret-files.ts'
import type { SecretFiles } from '../../actors/channels/whatsapp-seam.ts'
import { GatewayError, messageOf } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { reachArgs } from '../arguments.ts'
import { programName } from '../exit.ts'
import { note, show } from '../output.ts'
import { readSettings, type SettingsFlags } from '../settings.ts'
import { defineVerb } from '../verb.ts'

const args = {
  ...reachArgs,
  channel: { type: 'positional', description: 'whatsapp', valueHint: 'channel' },
} as const

export const channelsLogin = defineVerb({
  name: 'channels login',
  description: 'Link this gateway to an account: show a code that its phone scans',
  args,
  async run(given) {
    const files = await filesOf(given, given.channel)
    const { renderUnicodeCompact } = await import('uqr')
    note('On the phone: WhatsApp, Settings, Linked devices, Link a device')
    const showCode = (code: string): void => {
      for (const line of renderUnicodeCompact(code, { border: 2 }).split('\n')) show(line)
    }
    try {
      await loginWhatsApp({ baileys: await loadBaileys(), files, show: showCode })
    } catch (thrown) {
      throw new GatewayError('UNAVAILABLE', messageOf(thrown), { channel: given.channel }, thrown)
    }
    show('linked')
    note(`A gateway that runs: ${programName()} gateway release`)
    return 0
  },
})

export const channelsLogout = defineVerb({
  name: 'channels logout',
  description: 'Unlink this gateway from its account, and forget it',
  args,
  async run(given) {
    const files = await filesOf(given, given.channel)
    // Without the package nobody can be asked; the secrets go all the same.
    const isUnlinked = await logoutWhatsApp(await loadBaileys().catch(() => null), files)
    show(isUnlinked ? 'unlinked and forgotten' : 'forgotten')
    if (!isUnlinked) note('On the phone, under Linked devices, log the device out as well')
    return 0
  },
})

async function filesOf(flags: SettingsFlags, channel = ''): Promise<SecretFiles> {
  // Others have their credentials in the configuration.
  if (channel !== 'whatsapp') {
    throw new GatewayError('USAGE', `expected whatsapp, got ${quote(channel)}`, { channel })
  }
  const { stateDir } = await readSettings(flags)
  await openStateDir(stateDir)
  return openSecretFiles(secretsDirectory(stateDir, channel))
}
