/** How a vendor's secret looks. Patterns follow gitleaks' public rules (MIT), written for JavaScript; each is linear. */
export interface SecretRule {
  readonly id: string
  /** In words that follow "looks like". */
  readonly what: string
  /** A cheap test: without one of these texts, in lower case, the pattern cannot match. */
  readonly keywords: readonly string[]
  /** With the flag g. The group `value`, else the whole, is the secret. */
  readonly pattern: RegExp
  /** Least Shannon entropy of the secret, in bits a character; keeps examples such as `xxxxxxxx` out. */
  readonly leastEntropy: number
}

const usualEntropy = 2.5

function rule(
  id: string,
  what: string,
  keywords: string,
  pattern: RegExp,
  leastEntropy = usualEntropy,
): SecretRule {
  return { id: `secret/${id}`, what, keywords: keywords.split(' '), pattern, leastEntropy }
}

export const secretRules: readonly SecretRule[] = [
  rule('private-key', 'a private key', 'private', /-----BEGIN [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----/g, 0),
  rule(
    'aws-access-key',
    'an AWS access key',
    'akia asia abia acca',
    /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b/g,
    3,
  ),
  rule(
    'aws-secret-key',
    'an AWS secret key',
    'aws',
    /aws[\w-]{0,20}(?:secret|key)[\w-]{0,20}['"]?\s{0,5}[:=]{1,2}\s{0,5}['"](?<value>[A-Za-z0-9/+=]{40})['"]/gi,
    4,
  ),
  rule('github-token', 'a GitHub token', 'ghp_ gho_ ghu_ ghs_ ghr_', /\bgh[pousr]_[0-9A-Za-z]{36,255}\b/g, 3),
  rule('github-fine-grained-token', 'a GitHub token', 'github_pat_', /\bgithub_pat_\w{82}\b/g, 3),
  rule(
    'gitlab-token',
    'a GitLab token',
    'glpat- glptt- gldt- glrt-',
    /\bgl(?:pat|ptt|dt|rt)-[0-9A-Za-z_-]{20,50}/g,
    3,
  ),
  rule(
    'slack-token',
    'a Slack token',
    'xox',
    /\bxox[abeoprs]-(?:[0-9A-Za-z]{1,40}-){0,5}[0-9A-Za-z]{10,64}\b/g,
    3,
  ),
  rule(
    'slack-webhook',
    'a Slack webhook',
    'hooks.slack.com',
    /hooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Za-z0-9+/]{43,60}/g,
    3,
  ),
  rule(
    'stripe-key',
    'a Stripe key',
    'sk_live_ sk_test_ rk_live_ rk_test_',
    /\b[sr]k_(?:live|test)_[0-9A-Za-z]{16,99}\b/g,
    3,
  ),
  rule('google-api-key', 'a Google API key', 'aiza', /\bAIza[\w-]{35}(?![\w-])/g, 3),
  rule('google-oauth-secret', 'a Google OAuth client secret', 'gocspx-', /\bGOCSPX-[\w-]{28}/g, 3),
  rule('npm-token', 'an npm token', 'npm_', /\bnpm_[A-Za-z0-9]{36}\b/g, 3),
  rule('pypi-token', 'a PyPI token', 'pypi-ageichlwas5vcmc', /\bpypi-AgEIcHlwaS5vcmc[\w-]{50,1000}/g, 3),
  rule('sendgrid-key', 'a SendGrid key', 'sg.', /\bSG\.[\w-]{22}\.[\w-]{43}(?![\w-])/g, 3),
  rule('twilio-key', 'a Twilio key', 'sk', /\bSK[0-9a-f]{32}\b/g, 3),
  rule('mailgun-key', 'a Mailgun key', 'key-', /\bkey-[0-9a-f]{32}\b/g, 3),
  rule('mailchimp-key', 'a Mailchimp key', '-us', /\b[0-9a-f]{32}-us\d{1,2}\b/g, 3),
  rule('telegram-token', 'a Telegram bot token', ':a', /\b\d{5,16}:A[\w-]{34}(?![\w-])/g, 3),
  rule(
    'discord-webhook',
    'a Discord webhook',
    'discord',
    /discord(?:app)?\.com\/api\/webhooks\/\d{17,20}\/[\w-]{60,70}/g,
    3,
  ),
  rule(
    'digitalocean-token',
    'a DigitalOcean token',
    'dop_v1_ doo_v1_ dor_v1_',
    /\bdo[opr]_v1_[0-9a-f]{64}\b/g,
    3,
  ),
  rule(
    'shopify-token',
    'a Shopify token',
    'shpat_ shpca_ shppa_ shpss_',
    /\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b/g,
  ),
  rule('square-token', 'a Square token', 'sq0', /\bsq0(?:atp|csp)-[\w-]{22,60}/g, 3),
  rule('azure-storage-key', 'an Azure storage key', 'accountkey=', /AccountKey=[A-Za-z0-9+/]{86}==/g, 3),
  rule(
    'azure-client-secret',
    'an Azure client secret',
    'q~',
    /\b[\w.~-]{3}\dQ~[\w.~-]{31,34}(?![\w.~-])/g,
    3,
  ),
  rule('databricks-token', 'a Databricks token', 'dapi', /\bdapi[0-9a-f]{32}(?:-\d)?\b/g, 3),
  rule('doppler-token', 'a Doppler token', 'dp.', /\bdp\.(?:pt|st|ct|sa)\.[0-9A-Za-z]{40,44}\b/g, 3),
  rule('vault-token', 'a Vault token', 'hvs. hvb.', /\bhv[sb]\.[\w-]{90,300}/g, 3),
  rule('hugging-face-token', 'a Hugging Face token', 'hf_', /\bhf_[A-Za-z]{34}\b/g, 2.5),
  rule('linear-key', 'a Linear key', 'lin_api_', /\blin_api_[0-9A-Za-z]{40}\b/g, 3),
  rule('new-relic-key', 'a New Relic key', 'nrak-', /\bNRAK-[0-9A-Z]{27}\b/g, 3),
  rule(
    'grafana-token',
    'a Grafana token',
    'glc_ glsa_',
    /\bgl(?:c_[A-Za-z0-9+/]{32,400}={0,2}|sa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}\b)/g,
    3,
  ),
  rule(
    'openai-key',
    'an OpenAI key',
    't3blbkfj sk-proj-',
    /\bsk-(?:[\w-]{20,80}T3BlbkFJ[\w-]{20,80}|proj-[\w-]{40,200})/g,
    3,
  ),
  rule('anthropic-key', 'an Anthropic key', 'sk-ant-', /\bsk-ant-[a-z0-9]{3,10}-[\w-]{60,120}/g, 3),
  rule('postman-key', 'a Postman key', 'pmak-', /\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}\b/g, 3),
  rule('pulumi-token', 'a Pulumi token', 'pul-', /\bpul-[0-9a-f]{40}\b/g, 3),
  rule(
    'json-web-token',
    'a signed JSON web token',
    'eyj',
    /\bey[A-Za-z0-9]{17,2000}\.ey[\w/-]{17,4000}\.[\w/-]{10,1000}={0,2}/g,
    3,
  ),
  rule(
    'url-password',
    'a password in a URL',
    '://',
    /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@'"`${}<>]{1,80}:(?<value>[^\s:/@'"`${}<>]{4,80})@[a-z0-9[]/gi,
    2,
  ),
]
