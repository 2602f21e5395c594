# Makes the counts of fm_platform/expression/fit/simulated_residuals.csv with R's random numbers (base R only):
#   Rscript fm_platform_tests/oracles/simulated_residuals.R
# One line per degrees of freedom and variance: df, index of the variance, 40 bin counts of width 0.5.
variances <- seq(0, 8, length = 200)
for (df in 1:3) {
  set.seed(2)
  for (i in seq_along(variances)) {
    draws <- log(rchisq(1e4, df = df)) + rnorm(1e4, 0, sqrt(variances[i])) - log(df)
    draws <- draws[draws > -10 & draws < 10]
    counts <- hist(draws, breaks = -20:20 / 2, plot = FALSE)$counts
    cat(paste(c(df, i - 1, counts), collapse = ","), "\n", sep = "")
  }
}
