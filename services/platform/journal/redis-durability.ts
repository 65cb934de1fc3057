import type { Redis } from 'ioredis'

/** What in the settings of this Redis lets it lose what it acknowledged, each with the remedy; empty when nothing does. */
export async function durabilityWarnings(redis: Redis): Promise<string[]> {
  const info = parseInfo(await redis.info())
  const warnings: string[] = []
  if (info.get('aof_enabled') !== '1') {
    warnings.push('it keeps no append-only file; set appendonly yes')
  } else if ((await readSetting(redis, 'appendfsync')) !== 'always') {
    warnings.push('its append-only file is not synced before each answer; set appendfsync always')
  }
  if (info.get('maxmemory') !== '0' && info.get('maxmemory_policy')?.startsWith('allkeys')) {
    warnings.push(
      `it evicts keys under memory pressure (${info.get('maxmemory_policy')}); set maxmemory-policy noeviction`,
    )
  }
  return warnings
}

/** Hosted Redis often forbids CONFIG: then the setting is unknown, and unknown is not safe. */
async function readSetting(redis: Redis, name: string): Promise<string | undefined> {
  try {
    const reply = (await redis.config('GET', name)) as string[]
    return reply[1]
  } catch {
    return undefined
  }
}

function parseInfo(text: string): Map<string, string> {
  return new Map(
    text
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}
