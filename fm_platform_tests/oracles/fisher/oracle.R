# What R's fisher.test says about random two-by-two tables, sparse and tied ones among them.
#
#   Rscript fm_platform_tests/oracles/fisher/oracle.R oracle.csv

set.seed(20)
sizes <- rbind(cbind(sample(1:14, 60, TRUE), sample(1:14, 60, TRUE)), cbind(s <- sample(2:40, 30, TRUE), s),
               cbind(sample(30:200, 30, TRUE), sample(30:200, 30, TRUE)))
rows <- lapply(seq_len(nrow(sizes)), function(at) {
  m <- sizes[at, 1]; n <- sizes[at, 2]
  a <- rbinom(1, m, runif(1)); b <- rbinom(1, n, runif(1))
  p <- fisher.test(matrix(c(a, m - a, b, n - b), 2))$p.value
  data.frame(first = a, n_first = m, second = b, n_second = n, p_value = sprintf("%.17g", p),
             version = sprintf("R %s", getRversion()))
})
write.csv(do.call(rbind, rows), commandArgs(trailingOnly = TRUE)[1], row.names = FALSE, quote = FALSE, eol = "\n")
