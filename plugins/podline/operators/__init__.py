"""Where stages run: Airflow's operators, and the backends that they choose from."""
