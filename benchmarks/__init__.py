"""What operations cost. Figures are counts, and times as ratios to what Azure itself takes."""
