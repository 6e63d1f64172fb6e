"""What measurements say: numbers, figures and a report. Measures nothing itself."""
