"""Work trackers: pull requests, issues, deployments, sprints. One module per tracker."""
