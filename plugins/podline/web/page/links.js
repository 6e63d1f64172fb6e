// Where pages are: ours in Airflow's tabs, or below the navigation's page; and Airflow's own.

import { part } from "./api.js";

const NAVIGATION = "podline";
const DAG_TAB = "podline-dag";
const RUN_TAB = "podline-run";
const TASK_TAB = "podline-task";

const runOf = (dag, run) => `/dags/${part(dag)}/runs/${part(run)}`;
const instanceOf = (dag, run, task, index) =>
  `${runOf(dag, run)}/tasks/${part(task)}${index >= 0 ? `/mapped/${index}` : ""}`;

function query(fields) {
  const given = Object.entries(fields).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

// Airflow's pages.
export const airflow = {
  dag: (dag) => `/dags/${part(dag)}`,
  run: runOf,
  task: (dag, task) => `/dags/${part(dag)}/tasks/${part(task)}`,
  summary: (dag, run, task) => `${runOf(dag, run)}/tasks/${part(task)}/mapped`,
  // A task instance's first page is its log.
  log: (dag, run, task, index, number) =>
    `${instanceOf(dag, run, task, index)}${query({ try_number: number })}`,
};

const AT = `/plugin/${NAVIGATION}`;

// `inNavigation`: whether the page was opened from the navigation, where a phone has room for it.
export function links(inNavigation) {
  const dagPage = (dag, fields) =>
    inNavigation ? AT + query({ dag, ...fields }) : `${airflow.dag(dag)}/plugin/${DAG_TAB}${query(fields)}`;
  return {
    all: AT,
    dag: (dag) => dagPage(dag, {}),
    // A plot over the runs: of a task or of all, of a phase or of the whole.
    trend: (dag, of, show) => dagPage(dag, { of, show }),
    compare: (dag, a, b) => dagPage(dag, { a, b }),
    run: (dag, run) => (inNavigation ? AT + query({ dag, run }) : `${runOf(dag, run)}/plugin/${RUN_TAB}`),
    // Airflow's page of a mapped task's instances has room for no other tab.
    instances: (dag, run, task) => AT + query({ dag, run, task }),
    task: (dag, run, task, index, number) =>
      inNavigation
        ? AT + query({ dag, run, task, index, try_number: number })
        : `${instanceOf(dag, run, task, index)}/plugin/${TASK_TAB}${query({ try_number: number })}`,
  };
}
