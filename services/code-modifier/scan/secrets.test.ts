import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../platform/eventually.testing.ts'
import { secretRules } from './secret-rules.ts'
import { entropyOf, findSecrets } from './secrets.ts'

// No secret, not even a made-up one, is written in this file: they are drawn here, from a seed.
const random = seededRandom(20261122)
const lower = 'abcdefghijklmnopqrstuvwxyz'
const upper = lower.toUpperCase()
const digits = '0123456789'
const draw = (alphabet: string, length: number) =>
  Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
const hex = (length: number) => draw(`${digits}abcdef`, length)
const word = (length: number) => draw(lower + upper + digits, length)

const samples: Readonly<Record<string, () => string>> = {
  'private-key': () => `-----BEGIN ${'PRIVATE'} KEY-----`,
  'aws-access-key': () => `AKIA${draw(`${upper}234567`, 16)}`,
  'aws-secret-key': () => `aws_secret_access_key = "${word(40)}"`,
  'github-token': () => `ghp_${word(36)}`,
  'github-fine-grained-token': () => `github_pat_${word(82)}`,
  'gitlab-token': () => `glpat-${word(20)}`,
  'slack-token': () => `xoxb-${draw(digits, 12)}-${draw(digits, 12)}-${word(24)}`,
  'slack-webhook': () => `https://hooks.slack.com/services/T${word(8)}/B${word(10)}/${word(24)}`,
  'stripe-key': () => `sk_live_${word(24)}`,
  'google-api-key': () => `AIza${word(35)}`,
  'google-oauth-secret': () => `GOCSPX-${word(28)}`,
  'npm-token': () => `npm_${word(36)}`,
  'pypi-token': () => `pypi-AgEIcHlwaS5vcmc${word(70)}`,
  'sendgrid-key': () => `SG.${word(22)}.${word(43)}`,
  'twilio-key': () => `SK${hex(32)}`,
  'mailgun-key': () => `key-${hex(32)}`,
  'mailchimp-key': () => `${hex(32)}-us12`,
  'telegram-token': () => `${draw(digits, 10)}:A${word(34)}`,
  'discord-webhook': () => `https://discord.com/api/webhooks/${draw(digits, 18)}/${word(68)}`,
  'digitalocean-token': () => `dop_v1_${hex(64)}`,
  'shopify-token': () => `shpat_${hex(32)}`,
  'square-token': () => `sq0atp-${word(22)}`,
  'azure-storage-key': () => `AccountKey=${word(86)}==`,
  'azure-client-secret': () => `${word(3)}8Q~${word(34)}`,
  'databricks-token': () => `dapi${hex(32)}`,
  'doppler-token': () => `dp.pt.${word(43)}`,
  'vault-token': () => `hvs.${word(95)}`,
  'hugging-face-token': () => `hf_${draw(lower + upper, 34)}`,
  'linear-key': () => `lin_api_${word(40)}`,
  'new-relic-key': () => `NRAK-${draw(upper + digits, 27)}`,
  'grafana-token': () => `glsa_${word(32)}_${hex(8)}`,
  'openai-key': () => `sk-proj-${word(60)}`,
  'anthropic-key': () => `sk-ant-api03-${word(90)}`,
  'postman-key': () => `PMAK-${hex(24)}-${hex(34)}`,
  'pulumi-token': () => `pul-${hex(40)}`,
  'json-web-token': () => `eyJ${word(30)}.eyJ${word(60)}.${word(43)}`,
  'url-password': () => `postgres://shop:${word(16)}@db.internal/shop`,
}

test('every rule has a sample here', () => {
  assert.deepEqual(
    Object.keys(samples).toSorted(),
    secretRules.map(({ id }) => id.slice('secret/'.length)).toSorted(),
  )
  assert.ok(secretRules.length >= 25)
})

for (const [id, sample] of Object.entries(samples)) {
  test(`${id} is found in 20 of 20 drawn samples, in code and in YAML, and never repeated in the message`, () => {
    for (let count = 0; count < 20; count++) {
      const secret = sample()
      for (const text of [`const a = '${secret.replaceAll("'", '')}'\n`, `line: 1\nvalue: ${secret}\n`]) {
        const found = findSecrets(text)
        assert.ok(
          found.some(({ rule }) => rule === `secret/${id}`),
          `${id} in ${text}`,
        )
        assert.ok(found.every(({ message }) => !message.includes(secret)))
      }
    }
  })
}

test('a value that looks drawn, under a telling name, is found', () => {
  for (const text of [
    `const apiKey = '${word(24)}1a'`,
    `dbPassword: "${word(20)}1a"`,
    `client_secret=${word(30)}1a`,
    `{"access-token": "${hex(40)}"}`,
  ]) {
    assert.equal(findSecrets(text)[0]?.rule, 'secret/generic', text)
  }
})

const harmless = [
  `const token = process.env.API_TOKEN`,
  `const password = 'correct-horse-battery'`,
  `const apiKey = 'your-api-key-here-123456'`,
  `const secret = \`\${prefix}-value-a1\``,
  `password: "<your password here>"`,
  `const tokenPattern = /^[a-z0-9]{12,40}$/`,
  `const accessKeyId = 'AKIAIOSFODNN7EXAMPLE'`,
  `fetch('https://user:password@example.test/')`,
  `const url = 'postgres://\${user}:\${password}@host/db'`,
  `const apiKeyHeader = 'x-consumer-username'`,
  `const tokenUrl = 'https://login.example.test/oauth2/v2/token'`,
  `const passwordHash = await hash(password, 12)`,
  `"integrity": "sha512-${'A'.repeat(86)}=="`,
  `const commit = '${'deadbeef'.repeat(5)}'`,
  `const aws = 'aws_secret_access_key'`,
  `const keyTooShort = 'ghp_abc'`,
  `const repeated = 'ghp_${'a'.repeat(36)}'`,
  `import { SKU } from './SKU.ts'`,
]
for (const text of harmless) {
  test(`nothing is found in: ${text.slice(0, 60)}`, () => assert.deepEqual(findSecrets(text), []))
}

test('a long hostile text is scanned in bounded time', () => {
  const texts = [
    'secret'.repeat(50_000),
    `token='${'a1'.repeat(100_000)}`,
    'ey'.repeat(150_000),
    `AWS${'-'.repeat(300_000)}`,
    '://a:'.repeat(60_000),
  ]
  for (const text of texts) {
    const startedAt = performance.now()
    findSecrets(text)
    assert.ok(
      performance.now() - startedAt < 2_000,
      `${text.slice(0, 10)} took ${performance.now() - startedAt} ms`,
    )
  }
})

test('entropy is in bits a character', () => {
  assert.equal(entropyOf('aaaa'), 0)
  assert.equal(entropyOf('abcd'), 2)
})
