// Where the pages of the edge are, and those of models.

const at = (page, fields) => {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return `/plugin/${page}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
};

export const edge = {
  fleet: (fields = {}) => at("podline-edge", fields),
  rollouts: (model) => at("podline-edge", { view: "rollouts", model }),
  rollout: (model, rollout) => at("podline-edge", { model, rollout }),
};
export const modelPage = (model, version) => at("podline-models", { model, version });
