import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readDeployerSettings } from './settings.ts'

const least = {
  NEXUS_DATA: '/var/lib/nexus',
  NEXUS_JOURNAL_URL: 'sqlite:/var/lib/nexus/journal.sqlite',
  NEXUS_WARRANT_PUBLIC_KEY_FILE: '/var/lib/nexus/keys/warrant.pub',
}

test('the least settings get the defaults', () => {
  const settings = readDeployerSettings(least)
  assert.deepEqual([settings.port, settings.metricsPort, settings.targets.size], [15_080, 15_090, 0])
})

test('targets and their environment are lists of pairs', () => {
  const settings = readDeployerSettings({
    ...least,
    NEXUS_TARGETS: 'shop=/srv/shop, blog=/srv/blog.git',
    NEXUS_TARGET_ENVIRONMENT: 'SUPPLIER_URL=http://127.0.0.1:1/?a=b,EMPTY=',
  })
  assert.deepEqual(
    [...settings.targets],
    [
      ['shop', '/srv/shop'],
      ['blog', '/srv/blog.git'],
    ],
  )
  assert.deepEqual({ ...settings.targetEnvironment }, { SUPPLIER_URL: 'http://127.0.0.1:1/?a=b', EMPTY: '' })
})

test('what is missing or wrong is named', () => {
  assert.throws(
    () => readDeployerSettings({}),
    /NEXUS_DATA[\s\S]*NEXUS_JOURNAL_URL[\s\S]*NEXUS_WARRANT_PUBLIC_KEY_FILE/,
  )
  const bad: [string, string, RegExp][] = [
    ['NEXUS_DATA', 'here', /absolute/],
    ['NEXUS_TARGETS', 'shop', /shop must be name=/],
    ['NEXUS_TARGETS', 'shop=/a,shop=/b', /shop is named twice/],
    ['NEXUS_TARGET_ENVIRONMENT', '1x=2', /1x must be NAME=value/],
    ['NEXUS_LOCAL_PORT', '-1', /whole number/],
  ]
  for (const [variable, value, message] of bad) {
    assert.throws(() => readDeployerSettings({ ...least, [variable]: value }), message)
  }
})
