// Where the pages are: in the tabs of a run and of a task instance, or below the navigation's page.

import { part } from "./api.js";

const NAVIGATION = "podline";
const RUN_TAB = "podline-run";
const TASK_TAB = "podline-task";

// `inNavigation`: whether the page was opened from the navigation, where a phone has room for it.
export function links(inNavigation) {
  const query = (fields) => `/plugin/${NAVIGATION}?${new URLSearchParams(fields)}`;
  return {
    all: `/plugin/${NAVIGATION}`,
    dag: (dag) => query({ dag }),
    run: (dag, run) =>
      inNavigation
        ? query({ dag, run })
        : `/dags/${part(dag)}/runs/${part(run)}/plugin/${RUN_TAB}`,
    task: (dag, run, task, index, number) => {
      if (inNavigation) return query({ dag, run, task, index, try_number: number });
      const mapped = index >= 0 ? `/mapped/${index}` : "";
      const where = `/dags/${part(dag)}/runs/${part(run)}/tasks/${part(task)}${mapped}`;
      return `${where}/plugin/${TASK_TAB}?try_number=${number}`;
    },
  };
}
