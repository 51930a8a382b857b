/** The oldest Node that the built agent runs on; from source it needs the one of the project. */
export const agentNodeMajor = 20
