/** Time in which the judge finds a canary that fails each request, and in which traffic is back; both measured in the deployer's tests. */
export const detectionSeconds = 5
export const rollbackSeconds = 2
